// Draws the controls that it is told of, shows the HTML that it is given; decides nothing.
function render({ model, el }) {
  const bar = document.createElement("div"), shown = document.createElement("div")
  const made = {}
  let asked = null, waiting = {}
  el.setAttribute("data-lm-suppress-shortcuts", "true") // JupyterLab leaves the arrow keys alone
  bar.style = "display:flex;flex-wrap:wrap;gap:6px 16px;padding:8px;font:14px sans-serif;" +
    "background:white;color:#222;max-width:800px"
  el.append(bar, shown)

  function send(more) { // one question at a time; what comes meanwhile is asked together
    waiting = { ...waiting, ...more }
    if (asked) return
    const before = model.get("answer").values, values = { ...before, ...waiting }
    waiting = {}
    if (JSON.stringify(values) === JSON.stringify(before)) return
    asked = values
    model.set("values", values)
    model.save_changes()
  }
  function make(spec) {
    const box = document.createElement("label"), told = document.createElement("span")
    const input = document.createElement(spec.kind === "select" ? "select" : "input")
    if (spec.kind === "range") Object.assign(input, { type: "range", min: 0, max: spec.last, role: "slider" })
    if (spec.kind === "range") input.style.width = "260px"
    if (spec.kind === "check") input.type = "checkbox"
    if (spec.kind === "select") input.style = "border:1px solid #888;border-radius:3px;padding:1px 4px"
    input.dataset.control = spec.name
    const value = () => spec.kind === "check" ? input.checked : spec.kind === "range" ? +input.value : input.value
    input.addEventListener(spec.kind === "range" ? "input" : "change", () => {
      if (spec.kind === "range") told.textContent = " " + spec.words[+input.value]
      send({ [spec.name]: value() })
    })
    box.append(spec.label + " ", input, told)
    bar.append(box)
    return { input, told, options: "" }
  }
  function adjust() {
    const { controls, values } = model.get("answer")
    for (const spec of controls) {
      const one = (made[spec.name] ??= make(spec)), value = values[spec.name]
      const options = JSON.stringify(spec.options ?? "")
      if (spec.options && options !== one.options)
        one.input.replaceChildren(...spec.options.map(([key, word]) => new Option(word, key)))
      one.options = options
      if (spec.kind === "check") one.input.checked = value
      else if (!(spec.name in waiting)) one.input.value = value
      if (spec.kind === "range") one.told.textContent = " " + spec.words[+one.input.value]
    }
  }
  function show() {
    const focus = shown.contains(el.getRootNode().activeElement) ? el.getRootNode().activeElement : null
    const again = focus?.matches("[data-map]") ? "[data-map]" : focus?.dataset.value !== undefined
      ? `[data-value="${CSS.escape(focus.dataset.value)}"]` : null
    shown.innerHTML = model.get("answer").html
    if (again) shown.querySelector(again)?.focus({ preventScroll: true })
  }
  shown.addEventListener("click", (event) => {
    const cell = event.target.closest("[data-cell]"), slice = event.target.closest("[data-value]")
    if (cell) { send({ cell: cell.dataset.cell }); shown.querySelector("[data-map]").focus({ preventScroll: true }) }
    if (slice) send({ value: slice.getAttribute("aria-pressed") === "true" ? "" : slice.dataset.value })
  })
  shown.addEventListener("keydown", (event) => {
    const map = event.target.closest("[data-map]")
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key]
    if (!map || !step) return
    event.preventDefault()
    const bins = +map.dataset.bins, half = Math.floor(bins / 2)
    const at = (waiting.cell || (asked ?? model.get("answer").values).cell || `${half},${half}`).split(",").map(Number)
    send({ cell: at.map((each, i) => Math.min(bins - 1, Math.max(0, each + step[i]))).join() })
  })
  model.on("change:answer", () => { adjust(); show(); asked = null; if (Object.keys(waiting).length) send({}) })
  adjust()
  show()
}
export default { render }
