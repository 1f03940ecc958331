// Showing passwords on demand, and saying early that the two differ.
const all = [...document.querySelectorAll("input[type=password]")];
document.querySelector("[data-show-passwords]")?.addEventListener("change", (event) => {
  all.forEach((input) => { input.type = event.target.checked ? "text" : "password"; });
});
const first = document.getElementById("password"), again = document.getElementById("again");
if (again) {
  const compare = () => {
    const differ = again.value !== "" && again.value !== first.value;
    again.setCustomValidity(differ ? "The two passwords differ." : "");
    document.getElementById("again-help").textContent = differ ? "Differs from the first one." : "";
  };
  first.addEventListener("input", compare);
  again.addEventListener("input", compare);
}
