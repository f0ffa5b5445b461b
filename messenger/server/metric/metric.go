// Package metric counts what a server does, for Prometheus, and is the door to its library. It is handed names of routes, of limits and of
// outcomes; no number, device, size or source ever comes here, so none can get out.
package metric

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Set is the counters of one server.
type Set struct {
	registry   *prometheus.Registry
	requests   *prometheus.CounterVec
	limited    *prometheus.CounterVec
	registered prometheus.Counter
	sockets    prometheus.Gauge
	envelopes  *prometheus.CounterVec
	sending    prometheus.Histogram
	federated  *prometheus.CounterVec
}

// New returns counters at zero, for a server of that version.
func New(version string) *Set {
	s := &Set{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "messengerd_requests_total",
			Help: "Requests answered, by route and status, over HTTP and through websockets."}, []string{"route", "status"}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "messengerd_limited_total",
			Help: "Requests refused by a limit."}, []string{"limit"}),
		registered: prometheus.NewCounter(prometheus.CounterOpts{Name: "messengerd_registrations_total", Help: "Accounts registered, again ones included."}),
		sockets:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "messengerd_websockets", Help: "Websockets open now."}),
		envelopes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "messengerd_envelopes_total",
			Help: "Envelopes accepted, by what became of them: live (the device has it), queued (on disk), federated (another server has it), rejected (the sender was told)."}, []string{"outcome"}),
		sending: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "messengerd_send_seconds",
			Help: "Time from a message's arrival to its answer.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8)}),
	}
	s.federated = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "messengerd_federation_requests_total",
		Help: "Requests of peers (in) and to peers (out), by route and by status or what came instead of one: unreachable, nonsense."}, []string{"peer", "direction", "route", "outcome"})
	s.registry.MustRegister(s.federated, s.requests, s.limited, s.registered, s.sockets, s.envelopes, s.sending,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "messengerd_info", Help: "1, with the running version.",
			ConstLabels: prometheus.Labels{"version": version}}, func() float64 { return 1 }))
	return s
}

// Gauge adds a value that is asked for when somebody reads the metrics.
func (s *Set) Gauge(name, help string, value func() float64) {
	s.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// Counter adds a growing value that is asked for when somebody reads the metrics.
func (s *Set) Counter(name, help string, value func() float64) {
	s.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value))
}

// Answered counts a request by its route's pattern.
func (s *Set) Answered(route string, status int) {
	s.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
}

// Limited counts a refusal by a limit.
func (s *Set) Limited(limit string) { s.limited.WithLabelValues(limit).Inc() }

// Registered counts a registration.
func (s *Set) Registered() { s.registered.Inc() }

// Connected and Disconnected follow the websockets.
func (s *Set) Connected() { s.sockets.Inc() }

// Disconnected is the end of what Connected began.
func (s *Set) Disconnected() { s.sockets.Dec() }

// Envelopes counts n envelopes with one outcome.
func (s *Set) Envelopes(outcome string, n int) {
	if n > 0 {
		s.envelopes.WithLabelValues(outcome).Add(float64(n))
	}
}

// Federated counts a request between us and a peer, which is named as in the settings.
func (s *Set) Federated(peer, direction, route, outcome string) {
	s.federated.WithLabelValues(peer, direction, route, outcome).Inc()
}

// Sent notes how long a send took.
func (s *Set) Sent(d time.Duration) { s.sending.Observe(d.Seconds()) }

// Handler answers with all metrics.
func (s *Set) Handler() http.Handler {
	return promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}
