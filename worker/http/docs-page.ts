// The API's documentation for people: Swagger UI from the worker's own static assets, so that it works without the internet.

export const docsPage = (openApiPath: string): string => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Roomline API</title>
    <link rel="stylesheet" href="/docs/swagger-ui.css" />
    <style>body { margin: 0 } .swagger-ui .topbar { display: none }</style>
  </head>
  <body>
    <main id="docs"></main>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script>
      SwaggerUIBundle({ url: ${JSON.stringify(openApiPath)}, dom_id: '#docs', deepLinking: true });
    </script>
  </body>
</html>
`;
