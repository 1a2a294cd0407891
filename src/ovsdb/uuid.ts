/** UUIDs as text (RFC 7047 §3.1 <uuid>). */
export const ZERO_UUID = '00000000-0000-0000-0000-000000000000';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The UUID in its one form, or null for what is none. */
export function parseUuid(text: string): string | null {
  const lower = text.length === 36 ? text.toLowerCase() : text;
  return UUID.test(lower) ? lower : null;
}
