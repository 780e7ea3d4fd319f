// Starts Redoc on the document named by the page, without telemetry.
const root = document.getElementById("redoc");

// Redoc fetches its logo from its maker's CDN; what is not from here is given no address to load.
// React sets the attribute and then the property, so both are guarded; told of an error, Redoc leaves the logo out.
const isLocal = (url) => url.startsWith("data:") || new URL(url, location).origin === location.origin;
const image = HTMLImageElement.prototype;
const src = Object.getOwnPropertyDescriptor(image, "src");
Object.defineProperty(image, "src", { ...src, set(url) {
  if (isLocal(url)) src.set.call(this, url);
  else queueMicrotask(() => this.dispatchEvent(new Event("error")));
} });
image.setAttribute = function (name, value) {
  if (name !== "src" || isLocal(value)) Element.prototype.setAttribute.call(this, name, value);
};

const { init } = await import(root.dataset.redoc);
init(root.dataset.document, { router: "hash", disableTelemetry: true }, root);
