// Starts Swagger UI on the page's own OpenAPI document.
const mount = document.getElementById("swagger-ui");
SwaggerUIBundle({
  url: mount.dataset.openapiUrl,
  domNode: mount,
  deepLinking: true,
  persistAuthorization: true,
  displayRequestDuration: true,
  docExpansion: "none",
  filter: true,
  tryItOutEnabled: true,
  validatorUrl: "none",
});
