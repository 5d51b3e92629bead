// TypeScript's own interface, for the generator of the client: the compiler of this project (7) has another one.
export { ts as default } from '@ts-morph/common';
