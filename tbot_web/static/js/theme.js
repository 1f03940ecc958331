// Runs before the first paint, so that a chosen theme never flashes. Nothing but the two choices is kept.
(function () {
  const root = document.documentElement;
  const read = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const keep = (key, value) => {
    try { if (value) localStorage.setItem(key, value); else localStorage.removeItem(key); } catch { /* private mode */ }
  };
  const apply = () => {
    const theme = read("tbot-theme"), colours = read("tbot-colours");
    if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
    if (colours) root.dataset.colours = colours; else delete root.dataset.colours;
  };
  apply();
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-theme-switch]")) {
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      keep("tbot-theme", dark ? "light" : "dark");
      apply();
    } else if (event.target.closest("[data-colour-switch]")) {
      keep("tbot-colours", root.dataset.colours ? "" : "green-red");
      apply();
    }
  });
  document.addEventListener("DOMContentLoaded", () => document.querySelector("[data-focus]")?.focus());
})();
