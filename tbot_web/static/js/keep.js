// Text that is shown once: copy, download, print. Nothing of it is stored by this page.
for (const tools of document.querySelectorAll("[data-keep]")) {
  const source = document.getElementById(tools.dataset.keep);
  const items = source.querySelectorAll("code");
  const text = [...items].map((item) => item.textContent).join(source.tagName === "OL" ? "\n" : " ");
  const said = tools.querySelector("[data-kept]");
  tools.hidden = false;
  tools.querySelector("[data-copy]").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      said.textContent = "Copied. Clear the clipboard when it is in a safe place.";
    } catch {
      getSelection().selectAllChildren(source);
      said.textContent = "The browser does not allow it here; the text is marked, copy it by hand.";
    }
  });
  tools.querySelector("[data-download]").addEventListener("click", () => {
    const url = URL.createObjectURL(new Blob([`${text}\n`], { type: "text/plain" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = tools.dataset.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
    said.textContent = "Saved by the browser. Move the file away from this machine.";
  });
  tools.querySelector("[data-print]").addEventListener("click", () => print());
}
