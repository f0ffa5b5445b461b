// Package interop holds no code, only tests of the local page in a real browser: Debian's chromium, headless, driven by chromedp, against the real
// programs, which the tests build from this source. It is a module of its own, so that no program can hold what drives the browser.
//
// The browser is what the page's security stands on: which requests it sends for a hostile site, which it refuses, what a policy stops. So the attacks are
// made from hostile origins in it, and not by requests that only look like a browser's.
//
// Where chromium is missing the tests say so and skip, or fail if CI=true.
package interop
