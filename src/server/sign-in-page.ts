import { html } from 'hono/html';

/** `to`: the page that was asked for, and is shown once somebody has signed in. */
export function signInPage(problem: string | null, to: string) {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>Sign in · Tandem</title>
        <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/page.css" />
        <link rel="stylesheet" href="/assets/frame.css" />
        <link rel="stylesheet" href="/assets/controls.css" />
        <link rel="stylesheet" href="/assets/narrow.css" />
      </head>
      <body class="sign-in">
        <main>
          <h1>Tandem</h1>
          <form method="post" action="/sign-in">
            ${problem === null ? '' : html`<p role="alert" class="problem">${problem}</p>`}
            <input type="hidden" name="to" value="${to}" />
            <label for="name">Your name, for the audit</label>
            <input id="name" name="name" autocomplete="name" required maxlength="80" />
            <label for="token">Token</label>
            <input id="token" name="token" type="password" autocomplete="current-password" required />
            <button type="submit">Sign in</button>
          </form>
        </main>
      </body>
    </html>`;
}
