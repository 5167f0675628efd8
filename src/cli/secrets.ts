/**
 * Text without the passwords of the URLs in it; `user:password@` in a hint is none. Nothing of ours puts one there; but a mistyped command line comes back in
 * the message about it, and other libraries write messages too.
 */
export function withoutPasswords(text: string): string {
  return text
    .replace(/([a-z][a-z0-9+.-]*:\/\/[^\s:@/]*):(?!password@)[^\s]*@/gi, '$1:***@')
    .replace(/([?&]password=)[^&\s'"]*/gi, '$1***');
}
