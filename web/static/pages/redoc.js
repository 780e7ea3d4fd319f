// Starts Redoc on the document named by the page, without telemetry.
const root = document.getElementById("redoc");
const { init } = await import(root.dataset.redoc);
init(root.dataset.document, { router: "hash", disableTelemetry: true }, root);
