// How n and m are advanced by the launch that advances C. All workgroups of a head read the old ones, so the last to be done
// with them writes the new: each has every value that it read in its own memory before it counts itself in. The counter is
// zero again when the last has left.

override HAS_ARRIVALS: u32 = 0;
var<workgroup> is_last: bool;

fn finish(cell: u32, tiles: u32, thread: u32, n_start: u32, m_place: u32, m: f32) {
  if (HAS_ARRIVALS == 0u) { return; }
  workgroupBarrier();
  if (thread == 0u) { is_last = atomicAdd(&arrivals[cell], 1u) == tiles - 1u; }
  if (!workgroupUniformLoad(&is_last)) { return; }
  for (var d = thread; d < params.DHQK; d += THREADS) { set_state_element(n_start + d, normalizer[d]); }
  if (thread == 0u) {
    set_state_element(m_place, m);
    atomicStore(&arrivals[cell], 0u);
  }
}
