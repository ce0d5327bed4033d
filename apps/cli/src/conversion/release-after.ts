/** Releases a resource once the work with it is done, however it ends: what `await using` says, which Node 20 cannot read. */
export async function releaseAfter<R extends AsyncDisposable, T>(
  resource: R,
  work: (resource: R) => Promise<T>,
): Promise<T> {
  try {
    return await work(resource);
  } finally {
    await resource[Symbol.asyncDispose]();
  }
}
