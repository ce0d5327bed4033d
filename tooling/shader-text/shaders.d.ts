declare module '*.wgsl' {
  /** The shader's source text. */
  const source: string;
  export default source;
}

declare module '*.cu' {
  /** The CUDA source text. */
  const source: string;
  export default source;
}
