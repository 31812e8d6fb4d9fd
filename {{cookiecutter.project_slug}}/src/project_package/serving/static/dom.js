// Build elements. Text is always set as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Create an element with properties and children, which are elements or texts. */
export function element(tag, properties = {}, ...children) {
  const created = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in created) created[name] = value;
    else created.setAttribute(name, value);
  }
  created.append(...children.filter((child) => child !== null && child !== undefined));
  return created;
}

/** Create an SVG element with attributes and children. */
export function svg(tag, attributes = {}, ...children) {
  const created = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, value);
  created.append(...children);
  return created;
}

/** Return a number as people read it: four digits, and thousands apart. */
export function shortened(number) {
  const size = Math.abs(number);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) return number.toExponential(2);
  return new Intl.NumberFormat("en", { maximumSignificantDigits: size >= 1e4 ? 21 : 4 }).format(number);
}

/** Return a name of a field as words. */
export function words(name) {
  const text = name.replaceAll("_", " ").trim();
  return text.charAt(0).toUpperCase() + text.slice(1);
}
