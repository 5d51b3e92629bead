// A `.wasm` file that is imported is a module that was compiled at deployment.
declare module '*.wasm' {
  const module: WebAssembly.Module;
  export default module;
}
