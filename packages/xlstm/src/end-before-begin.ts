/**
 * Makes a generator tell when it is ended. One that is ended before it began never runs, not even its "finally", and whoever
 * waits for its result would wait forever; after it has run, `tell` comes too late to matter.
 */
export function tellEnd<T>(generator: AsyncGenerator<T, void>, tell: () => void): AsyncGenerator<T, void> {
  const end = generator.return.bind(generator);
  generator.return = async (value) => {
    const ended = await end(value);
    tell();
    return ended;
  };
  return generator;
}
