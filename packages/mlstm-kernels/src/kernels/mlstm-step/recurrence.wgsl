// One step of the gates, which the serial forms of the mLSTM kernels share:
//   m' = max(logf + m, i);  C' = decay C + input k v^T,  decay = exp(logf + m - m'),  input = exp(i - m')

struct Gates { m: f32, decay: f32, input: f32 }

fn initial_gates(m: f32, sigmoid: u32) -> Gates { return Gates(select(m, 0.0, sigmoid != 0u), 1.0, 0.0); }

fn advance(gates: Gates, forget_gate: f32, input_gate: f32, sigmoid: u32) -> Gates {
  let kept = log_forget_gate(forget_gate) + gates.m;
  let log_input = log_input_gate(input_gate, sigmoid);
  let m = select(larger(kept, log_input), 0.0, sigmoid != 0u);
  return Gates(m, exp(kept - m), exp(log_input - m));
}
