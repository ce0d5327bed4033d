// What the backward kernels know of each step: planes [B, NH, S] that `mlstm_backward_rows` writes, then the factor
// [B, NH, NC] by which a chunk decays the state that it is entered with.

const LOG_FORGET = 0u;
const LOG_INPUT = 1u;
const STABILIZER = 2u;      // m_j
const INVERSE = 3u;         // 1 / N_j
const DENOMINATOR = 4u;     // the gradient of the denominator, -w_j (dh_j^T h_j) / N_j
const CARRIED = 5u;         // exp(b_j + m - m_j): how the entering state reaches step j
const WEIGHT = 6u;          // exp(a_t - m'): how step t reaches the leaving state
const PULL = 7u;            // the gradient of m_j with the true state held, which eps alone makes
const STARTS = 8u;          // 1 where m_j is i_j, 0 where it is logf_j + m_(j-1)
const DECAY = 9u;           // exp(g + m - m')

// exp of what is at most 0 but for rounding; NaN stays NaN.
fn exp_down(x: f32) -> f32 { return exp(select(x, 0.0, x > 0.0)); }
