// Starts Swagger UI on the document named by the page; a file of its own so that no inline script is needed.
const root = document.getElementById("swagger-ui");
SwaggerUIBundle({
  url: root.dataset.document,
  domNode: root,
  deepLinking: true,
  validatorUrl: null, // the default sends the document's address to an outside validator
  persistAuthorization: false,
  presets: [SwaggerUIBundle.presets.apis],
});
