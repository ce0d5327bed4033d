"""Times the published PyTorch stack on the work that `npm run bench` times ours on: xLSTM 7B with random weights.

    python3 compare.py [--seconds N] [copy] [step] [prefill] [decode]

Needs a CUDA GPU, torch, and the packages `xlstm` and `mlstm_kernels` (pip, or their folders on PYTHONPATH). One JSON object a
line. What would begin after --seconds (default 300) is left out, and said so. Nothing here is imported by the project.
"""

import argparse
import json
import time

import torch

DEVICE = "cuda"
BF16 = torch.bfloat16
SEVEN_B = {"embedding_dim": 4096, "num_heads": 8, "num_blocks": 32, "vocab_size": 50304}


def report(**values):
    print(json.dumps(values), flush=True)


def milliseconds(call, warm=3, repeats=10):
    """Median time of a call by the device's clock."""
    for _ in range(warm):
        call()
    torch.cuda.synchronize()
    times = []
    for _ in range(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        call()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end))
    return sorted(times)[len(times) // 2]


def copy():
    source = torch.randn(1 << 29, device=DEVICE, dtype=BF16)
    target = torch.empty_like(source)
    time_ms = milliseconds(lambda: target.copy_(source))
    report(work="copy", gigabytes_per_second=4 * source.numel() / time_ms / 1e6)


def step(batch):
    """One step of the mLSTM cell, 8 heads of 256 x 512, state in float32."""
    from mlstm_kernels.torch import get_mlstm_step_kernel

    heads, qk, v = 8, 256, 512
    make = lambda *shape, dtype=torch.float32: torch.randn(batch, heads, *shape, device=DEVICE, dtype=dtype)
    inputs = {
        "q": make(qk, dtype=BF16), "k": make(qk, dtype=BF16), "v": make(v, dtype=BF16),
        "i": make(1), "f": make(1), "c": make(qk, v), "n": make(qk), "m": make(1),
    }
    kernel = get_mlstm_step_kernel("triton")
    time_ms = milliseconds(lambda: kernel(**inputs), 5, 30)
    bytes_moved = 2 * 4 * inputs["c"].numel()
    report(work="mlstm step", batch=batch, microseconds=1e3 * time_ms, gigabytes_per_second=bytes_moved / time_ms / 1e6)


def model():
    from xlstm.xlstm_large.model import xLSTMLarge, xLSTMLargeConfig

    config = xLSTMLargeConfig(
        **SEVEN_B, weight_mode="fused", return_last_states=True, mode="inference", chunk_size=64,
        chunkwise_kernel="chunkwise--triton_limit_chunk", sequence_kernel="native_sequence__triton", step_kernel="triton",
    )
    with torch.device("meta"):
        made = xLSTMLarge(config)
    made = made.to_empty(device=DEVICE).to(BF16)
    for parameter in made.parameters():
        parameter.normal_(0, 0.01)
    return made.eval()


def prefill(made, tokens):
    ids = torch.randint(0, SEVEN_B["vocab_size"], (1, tokens), device=DEVICE)
    time_ms = milliseconds(lambda: made(ids), 2, 3)
    report(work="prefill, eager", tokens=tokens, milliseconds=time_ms, tokens_per_second=1e3 * tokens / time_ms)


def decode(made, batch):
    """torch.compile, then one CUDA graph of a step with the greedy choice of the next token."""
    ids = torch.randint(0, SEVEN_B["vocab_size"], (batch, 1), device=DEVICE)
    _, state = made(ids)
    compiled = torch.compile(made, mode="default", dynamic=False)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            compiled(ids, state)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        logits, _ = compiled(ids, state)
        ids.copy_(torch.argmax(logits[:, -1:], -1))
    time_ms = milliseconds(graph.replay, 5, 30)
    report(work="decode, compiled, CUDA graph", batch=batch, milliseconds=time_ms, tokens_per_second=1e3 * batch / time_ms)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("works", nargs="*", help="copy, step, prefill, decode; all by default")
    parser.add_argument("--seconds", type=float, default=300)
    arguments = parser.parse_args()
    wanted = set(arguments.works) or {"copy", "step", "prefill", "decode"}
    unknown = wanted - {"copy", "step", "prefill", "decode"}
    if unknown:
        parser.error(f"no such work: {', '.join(sorted(unknown))}; there are copy, step, prefill, decode")
    started = time.monotonic()

    def attempt(name, call):
        if time.monotonic() - started > arguments.seconds:
            report(work=name, left_out=f"{arguments.seconds:.0f} seconds were over")
            return
        try:
            call()
        except Exception as error:  # one failure must not hide the other numbers
            report(work=name, failed=repr(error)[:300])
        torch.cuda.empty_cache()

    report(device=torch.cuda.get_device_name(), torch=torch.__version__)
    with torch.no_grad():
        if "copy" in wanted:
            attempt("copy", copy)
        if "step" in wanted:
            for batch in (1, 128):
                attempt("mlstm step", lambda batch=batch: step(batch))
        if wanted & {"prefill", "decode"}:
            made = model()
            if "prefill" in wanted:
                for tokens in (2048, 16384):
                    attempt("prefill", lambda tokens=tokens: prefill(made, tokens))
            if "decode" in wanted:
                for batch in (1, 8, 32):
                    attempt("decode", lambda batch=batch: decode(made, batch))


main()
