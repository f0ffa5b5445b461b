package interop

import (
	"fmt"
	"sync"
	"testing"
)

// What the page costs the browser with 10,000 messages in one conversation: the first paint, the way from a click to the newest messages, and frame after
// frame of 400 pixels while somebody scrolls up through 2,000 of them. Run it with -benchtime 1x.
func BenchmarkLongConversation(b *testing.B) {
	const messages, writers, seen = 10_000, 8, 2_000
	w := newTown(b)
	alice := w.person("alice")
	me := alice.register()
	var all sync.WaitGroup
	for k := range writers {
		all.Go(func() {
			for i := k; i < messages; i += writers {
				text := fmt.Sprintf("note %d, with a few words in it, as people write them", i)
				if err := alice.try("send", map[string]any{"recipient": []string{me}, "message": text, "noWait": true}, nil); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	page := newBrowser(b).tab(alice.address())
	page.wait("document.querySelector('.list button') !== null")
	for b.Loop() {
		b.ReportMetric(script[float64](page, `(async () => {
			const start = performance.now(), next = () => new Promise(requestAnimationFrame);
			document.querySelector('.list button').click();
			await next();
			while (!document.querySelector('.log .m')) await next();
			return performance.now() - start })()`), "ms/open")
		frames := script[[]float64](page, fmt.Sprintf(`(async () => {
			const log = document.querySelector('.log'), times = [], first = () => Number(log.querySelector('.m').innerText.match(/note (\d+),/)[1]), from = first();
			for (let last = performance.now(); first() > from - %d;) {
				log.scrollTop -= 400;
				await new Promise(requestAnimationFrame);
				times.push(performance.now() - last);
				last = performance.now();
			}
			times.sort((a, b) => a - b);
			return [times[times.length >> 1], times[Math.floor(times.length * .99)]] })()`, seen))
		b.ReportMetric(frames[0], "ms/frame")
		b.ReportMetric(frames[1], "ms/frame-p99")
		b.ReportMetric(script[float64](page, "performance.memory.usedJSHeapSize / 1e6"), "MB/heap")
	}
	b.ReportMetric(script[float64](page, "performance.getEntriesByName('first-contentful-paint')[0].startTime"), "ms/paint")
}
