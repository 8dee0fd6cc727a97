// Shows the document that lies beside this page, wherever the face is mounted.
window.ui = SwaggerUIBundle({
  url: new URL("openapi.json", document.baseURI).href,
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null, // asks nobody else whether the document is valid
  persistAuthorization: false,
});
