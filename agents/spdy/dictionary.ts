/**
 * The words that both ends of a SPDY/3 connection know before the first header block.
 * In: nothing. Out: the dictionary's 1423 bytes: words with their lengths, then plain text.
 * Never: changes; a byte of difference makes every header unreadable.
 * Source: the SPDY protocol, draft 3, section 2.6.10.1.
 */

/** Each stands in the dictionary behind its length in four bytes. */
const WORDS = (
  "options|head|post|put|delete|trace|accept|accept-charset|accept-encoding|" +
  "accept-language|accept-ranges|age|allow|authorization|cache-control|connection|" +
  "content-base|content-encoding|content-language|content-length|content-location|" +
  "content-md5|content-range|content-type|date|etag|expect|expires|from|host|if-match|" +
  "if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|location|" +
  "max-forwards|pragma|proxy-authenticate|proxy-authorization|range|referer|retry-after|" +
  "server|te|trailer|transfer-encoding|upgrade|user-agent|vary|via|warning|" +
  "www-authenticate|method|get|status|200 OK|version|HTTP/1.1|url|public|set-cookie|" +
  "keep-alive|origin"
).split("|");

/** Stands behind them as it is. */
const TEXT =
  "100101201202205206300302303304305306307402405406407408409410411412413414415416417502" +
  "504505203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Re" +
  "quest401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Impl" +
  "emented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00" +
  ":00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,imag" +
  "e/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivate" +
  "max-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

export const DICTIONARY: Uint8Array<ArrayBuffer> = makeDictionary();

function makeDictionary(): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const size = WORDS.reduce((sum, word) => sum + 4 + word.length, TEXT.length);
  const out = new Uint8Array(size);
  let at = 0;
  for (const word of WORDS) {
    out[at + 3] = word.length;
    out.set(encoder.encode(word), at + 4);
    at += 4 + word.length;
  }
  out.set(encoder.encode(TEXT), at);
  return out;
}
