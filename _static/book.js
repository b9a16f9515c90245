/* Repairs to what Jupyter Book 1.0.4, sphinx-book-theme 1.3 and docutils 0.21 write, for screen readers and keyboards. */
document.addEventListener("DOMContentLoaded", function () {
  function each(selector, change) { document.querySelectorAll(selector).forEach(change); }

  // A label that differs from the visible text hides the control from speech input.
  each(".search-button-field, .theme-switch-button, div.cell summary[aria-label]", function (e) {
    e.removeAttribute("aria-label");
  });
  each(".sidebar-primary-items__start > .sidebar-primary-item:first-child", function (e) {
    e.setAttribute("role", "navigation");
    e.setAttribute("aria-label", "Book home");
  });
  each(".bd-sidebar-primary li > details > summary", function (e) {
    e.setAttribute("aria-label", "Pages below: " + e.closest("li").querySelector("a").textContent.trim());
  });
  // Roles whose required children or parents docutils does not write.
  each('.citation-list[role="list"], [role="doc-biblioentry"]', function (e) { e.removeAttribute("role"); });

  // The empty corner of a pandas table heads nothing.
  each("table.dataframe th:empty", function (th) { th.replaceWith(document.createElement("td")); });

  // Wide tables scroll in a box of their own, and the keyboard can scroll it too.
  each(".bd-article table", function (table) {
    if (table.closest(".table-scroll, .pst-scrollable-table-container")) return;
    var box = document.createElement("div");
    box.className = "table-scroll";
    table.replaceWith(box);
    box.append(table);
  });
  // So do figures that are wider than a phone: small print is drawn no smaller than two thirds of its size.
  each(".bd-article .cell_output img[src$='.png'], .bd-article figure img[src$='.png']", function (image) {
    if (image.classList.contains("pixelated") || image.closest(".frame-player")) return;
    function box() {
      var least = Math.ceil(0.67 * image.naturalWidth), wrap = document.createElement("div");
      if (least <= 340) return;
      wrap.className = "figure-scroll";
      image.replaceWith(wrap);
      wrap.append(image);
      image.style.minWidth = least + "px";
      reachable();
    }
    if (image.complete) box(); else image.addEventListener("load", box);
  });
  function reachable() {
    each(".table-scroll, .figure-scroll, .pst-scrollable-table-container, .cell_output .output, div.math, mjx-container[display], .highlight pre", function (box) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else if (box.tabIndex === 0) box.removeAttribute("tabindex");
    });
  }
  window.addEventListener("load", function () {
    reachable();
    if (window.MathJax && MathJax.startup) MathJax.startup.promise.then(reachable);  // formulas get wide when drawn
  });
  window.addEventListener("resize", reachable);

  // Paper is white, and nothing on it can be opened.
  var root = document.documentElement, theme;
  window.matchMedia("print").addEventListener("change", function (paper) {
    if (paper.matches) theme = root.dataset.theme;
    root.dataset.theme = paper.matches ? "light" : theme;
    each("details", function (e) { if (paper.matches) e.open = true; });
  });

  // ipywidgets arrive later, and name neither their sliders nor their images.
  function name() {
    each('.jupyter-widgets [role="slider"]:not([aria-label])', function (slider) {
      var box = slider.closest(".widget-inline-hbox"), label = box && box.querySelector(".widget-label");
      if (label) slider.setAttribute("aria-label", label.textContent);
    });
    each("img.widget-image:not([alt])", function (image) { image.alt = image.title || "figure"; });
  }
  new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
  name();
});
