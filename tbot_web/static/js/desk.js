// Pages of forms: the bar on top, and the small helps that their forms have.
import "./keep.js";
import { startLive } from "./live.js";
import { startTopbar } from "./topbar.js";

document.querySelector("[data-mark-all]")?.addEventListener("click", (event) => {
  const boxes = [...event.target.closest("form").querySelectorAll("input[name=category]")];
  const all = boxes.every((box) => box.checked);
  boxes.forEach((box) => { box.checked = !all; });
});

startTopbar();
startLive(["status", "system"]);
