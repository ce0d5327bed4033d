/** Fetches files as a page has them when someone drops them: `File`s with their names. */
export async function fetchFiles(urls: readonly string[]): Promise<File[]> {
  return Promise.all(
    urls.map(async (url) => {
      const response = await fetch(url);
      if (!response.ok) throw new Error(`fetch ${url}: ${response.status}`);
      return new File([await response.blob()], url.slice(url.lastIndexOf('/') + 1));
    }),
  );
}
