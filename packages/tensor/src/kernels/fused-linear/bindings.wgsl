// Bindings of the forms that read 16 bytes at a time; the plain form has scalars.

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;      // [M, K / 4]
@group(0) @binding(1) var<storage, read> gate: array<vec4<f32>>;   // for prologue 2
@group(0) @binding(2) var<storage, read> norm: array<vec4<f32>>;   // [K / 4], the weight of the norm
@group(0) @binding(3) var<storage, read> biases: array<f32>;
@group(0) @binding(4) var<storage, read> weight: array<vec4<u32>>; // [rows, chunks]
@group(0) @binding(5) var<storage, read> scales: array<u32>;       // [rows, K / group], two fp16 a word
@group(0) @binding(6) var<storage, read> extra: array<vec4<f32>>;  // [E, K / 4]
@group(0) @binding(7) var<storage, read_write> y: array<f32>;      // M rows at yStride
@group(0) @binding(8) var<uniform> params: Params;
