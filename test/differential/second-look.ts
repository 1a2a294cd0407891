/**
 * The reference has threads of its own that count, revalidate and forget a while later: what it shows can be a moment old. A scenario
 * whose answers differ is run once more from its beginning, and said to have been; what differs twice is a difference.
 */
import type { TestContext } from 'node:test';

export async function withSecondLook<T>(
  t: Pick<TestContext, 'diagnostic'>,
  run: () => readonly T[] | Promise<readonly T[]>,
): Promise<readonly T[]> {
  const first = await run();
  if (first.length === 0) return first;
  t.diagnostic(`differed, and is looked at again: ${JSON.stringify(first).slice(0, 600)}`);
  return run();
}
