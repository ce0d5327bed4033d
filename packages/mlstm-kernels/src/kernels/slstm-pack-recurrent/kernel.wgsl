// R [NH, 4, DH_out, DH_in] with the four gates of a pair of units side by side: [NH, DH_in, DH_out, 4] by input, else
// [NH, DH_out, DH_in, 4].

struct Params { NH: u32, DH: u32, by_input: u32 }

@group(0) @binding(0) var<storage, read> recurrent: array<f32>;
@group(0) @binding(1) var<storage, read_write> packed: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> params: Params;

const THREADS = 64u;

@compute @workgroup_size(THREADS)
fn slstm_pack_recurrent(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                        @builtin(local_invocation_index) thread: u32) {
  let place = (group.x + group.y * groups.x) * THREADS + thread;
  let DH = params.DH;
  if (place >= params.NH * DH * DH) { return; }
  let head = place / (DH * DH);
  let row = (place / DH) % DH;
  let column = place % DH;
  let weight = select(row * DH + column, column * DH + row, params.by_input != 0u);
  let first = 4u * head * DH * DH + weight;
  packed[place] =
    vec4(recurrent[first], recurrent[first + DH * DH], recurrent[first + 2u * DH * DH], recurrent[first + 3u * DH * DH]);
}
