/** What a thread was kept from doing, in ms. */
export interface ThreadWatch {
  /** Longest gap of a timer of 10 ms. A machine that is busy elsewhere lengthens it too. */
  longestGap: number;
  /** Tasks of this thread of 50 ms and more, as the browser counts them; none where it does not count. */
  longTasks: readonly number[];
}

/** Watches this thread. @returns a function that stops, and tells */
export function watchThread(): () => ThreadWatch {
  const observed: number[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) observed.push(duration);
  });
  const { supportedEntryTypes } = PerformanceObserver as unknown as { supportedEntryTypes: readonly string[] };
  if (supportedEntryTypes.includes('longtask')) observer.observe({ entryTypes: ['longtask' as 'measure'] });
  let longestGap = 0;
  let last = performance.now();
  const look = (): void => {
    const now = performance.now();
    longestGap = Math.max(longestGap, now - last);
    last = now;
  };
  const timer = setInterval(look, 10);
  return () => {
    clearInterval(timer);
    look();
    const rest = (observer as unknown as { takeRecords?: () => { duration: number }[] }).takeRecords?.() ?? [];
    observer.disconnect();
    return { longestGap, longTasks: [...observed, ...rest.map(({ duration }) => duration)] };
  };
}
