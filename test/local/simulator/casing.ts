// JSON of the control API is snake_case, TypeScript is camelCase; these two functions are the border. Pure.

/** Renames the keys of plain JSON data, at every depth. */
export function toSnakeCase(value: unknown): unknown {
  return renamed(value, (key) => key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
}

/** The way back. Keys without an underscore stay as they are. */
export function toCamelCase(value: unknown): unknown {
  return renamed(value, (key) =>
    key.replaceAll(/_([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase()),
  );
}

function renamed(value: unknown, rename: (key: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => renamed(item, rename));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [rename(key), renamed(item, rename)]),
  );
}
