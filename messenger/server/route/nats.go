package route

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// NATSOptions configure a router over NATS. Fields that are zero get the value in parentheses.
type NATSOptions struct {
	URL         string           // of one or several servers, separated by commas
	Node        string           // this process's name; no two of a cluster may have the same
	Prefix      string           // of all subjects, so that several clusters can share a bus ("cs")
	TLS         *tls.Config      // with the client's certificate for mutual TLS; nil only for a bus on this machine
	Patience    time.Duration    // of Deliver (Patience)
	Probe       time.Duration    // how long a node has for a ping or a wake (500 ms)
	InFlight    int              // deliveries over the bus under way at a time; more go to the queue (8192)
	Connections int              // to the bus (2)
	Now         func() time.Time // for the breaker (time.Now)
}

func (o NATSOptions) withDefaults() NATSOptions {
	if o.Prefix == "" {
		o.Prefix = "cs"
	}
	if o.Patience == 0 {
		o.Patience = Patience
	}
	if o.Probe == 0 {
		o.Probe = 500 * time.Millisecond
	}
	if o.InFlight == 0 {
		o.InFlight = 8192
	}
	if o.Connections == 0 {
		o.Connections = 2
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

const (
	// inbox is how many messages wait for this process before the client library drops some; a drop is a timeout for the
	// sender, whose envelope then goes to the queue.
	inbox = 8192
	// pingInterval finds a dead link in twice this time.
	pingInterval = 2 * time.Second
	// breakerPause is between two questions to a node that does not answer.
	breakerPause = time.Second
	// wakePause spreads waking everybody after the bus was away: in 64 steps over three seconds, so that the database is not run over, and the
	// first step comes when other nodes have found the bus as well.
	wakePause = 50 * time.Millisecond
	// placesKept bounds what is remembered about where devices are.
	placesKept = 100_000
)

// NATS routes over core NATS. A connection on this node is reached without the bus.
type NATS struct {
	table
	o       NATSOptions
	links   []*link
	slots   chan struct{}
	places  *places
	breaker *Breaker
	drops   atomic.Uint64
	wakes   atomic.Int32 // times the bus has come back since everybody was last woken
	closing sync.Once
	closed  chan struct{}
}

// link is a connection to the bus; a key always uses the same one, which keeps its frames in order.
type link struct {
	conn *nats.Conn
	in   chan *nats.Msg // deliveries for devices of this node
}

var _ Router = (*NATS)(nil)

// DialNATS connects and subscribes to this node's own subject. It fails if no server can be reached now; later
// failures are survived: the links come back, and what was sent meanwhile went to the queue.
func DialNATS(o NATSOptions) (*NATS, error) {
	o = o.withDefaults()
	for _, name := range []string{o.Node, o.Prefix} {
		if err := ValidName(name); err != nil {
			return nil, err
		}
	}
	r := &NATS{o: o, slots: make(chan struct{}, o.InFlight), places: newPlaces(placesKept), closed: make(chan struct{})}
	r.breaker = NewBreaker(o.Now, breakerPause, r.ping)
	r.init()
	for range o.Connections {
		if err := r.dial(); err != nil {
			return nil, errors.Join(err, r.Close())
		}
	}
	if err := r.listen(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *NATS) dial() error {
	options := []nats.Option{
		nats.Name("messengerd " + r.o.Node), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(250*time.Millisecond, 250*time.Millisecond), nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(2),
		nats.ReconnectBufSize(-1), // rather an error at once than a frame that goes out later
		nats.Timeout(5 * time.Second),
		nats.ReconnectHandler(func(*nats.Conn) { go r.wakeAll() }), // whoever was written to meanwhile could not be told
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) { r.drops.Add(1) }),
	}
	if r.o.TLS != nil {
		options = append(options, nats.Secure(r.o.TLS))
	}
	conn, err := nats.Connect(r.o.URL, options...)
	if err != nil {
		return fmt.Errorf("NATS: %v", err)
	}
	l := &link{conn: conn, in: make(chan *nats.Msg, inbox)}
	r.links = append(r.links, l)
	go r.serve(l)
	return nil
}

// listen subscribes to this node's subject, on the first link. Control messages have a goroutine of their own, so
// that a crowd of deliveries does not make the node look dead.
func (r *NATS) listen() error {
	conn := r.links[0].conn
	if _, err := conn.Subscribe(r.nodeSubject(r.o.Node), r.control); err != nil {
		return fmt.Errorf("NATS: %v", err)
	}
	if err := conn.FlushTimeout(5 * time.Second); err != nil {
		return fmt.Errorf("NATS: %v", err)
	}
	return nil
}

// wakeAll lets every device of this node look into its queue. If the bus comes and goes, one round follows another.
func (r *NATS) wakeAll() {
	if r.wakes.Add(1) > 1 {
		return // whoever is at it goes round again
	}
	for {
		n := r.wakes.Load()
		r.wakeRound()
		if r.wakes.CompareAndSwap(n, 0) {
			return
		}
	}
}

func (r *NATS) wakeRound() {
	tick := time.NewTicker(wakePause)
	defer tick.Stop()
	for i := range r.parts {
		select {
		case <-r.closed:
			return
		case <-tick.C:
		}
		for _, e := range r.entries(i) {
			e.live.Wake()
		}
	}
}

func (r *NATS) deviceSubject(key Key) string   { return r.o.Prefix + ".d." + string(key) }
func (r *NATS) nodeSubject(node string) string { return r.o.Prefix + ".n." + node }
func (r *NATS) link(key Key) *link             { return r.links[r.part(key)%len(r.links)] }

// Node implements Router.
func (r *NATS) Node() string { return r.o.Node }

// Register implements Router. If the bus is away at this moment the subscription is made when it comes back; until
// then the device lives from its queue.
func (r *NATS) Register(key Key, epoch int64, live Live) (func(), error) {
	if err := ValidName(string(key)); err != nil {
		return nil, err
	}
	e := r.put(key, &entry{epoch, live})
	l := r.link(key)
	sub, err := l.conn.ChanSubscribe(r.deviceSubject(key), l.in)
	if err != nil {
		r.remove(key, e)
		return nil, fmt.Errorf("NATS: %v", err)
	}
	_ = l.conn.FlushTimeout(r.o.Probe)
	return func() {
		_ = sub.Unsubscribe() // fails only if the link is closed for good
		r.remove(key, e)
	}, nil
}

// serve hands arriving frames to their connections. Offer does not block, so one goroutine suffices and keeps order.
func (r *NATS) serve(l *link) {
	for {
		var m *nats.Msg
		select {
		case m = <-l.in:
		case <-r.closed:
			return
		}
		f, err := parseFrame(m.Data)
		key := Key(m.Subject[min(len(m.Subject), len(r.o.Prefix)+len(".d.")):])
		e, ok := r.get(key)
		if err != nil || !ok {
			r.answer(m, saysRefused)
			continue
		}
		e.live.Offer(f, func(acked bool) {
			if acked {
				r.answer(m, saysAcked)
			} else {
				r.answer(m, saysRefused)
			}
		})
	}
}

// answer answers; if that fails the sender times out.
func (r *NATS) answer(m *nats.Msg, says byte) {
	_ = m.Respond(appendAnswer(nil, answer{says, r.o.Node}))
}

// Deliver implements Router.
func (r *NATS) Deliver(ctx context.Context, key Key, f Frame) Outcome {
	if len(f.Body) > MaxBody || ValidName(string(key)) != nil {
		return Unknown
	}
	if e, ok := r.get(key); ok {
		return offer(ctx, e.live, f, r.o.Patience)
	}
	node := r.places.where(key)
	if node != "" && r.breaker.Open(node) {
		return Unknown
	}
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	default:
		return Unknown // so much is under way that waiting would not help
	}
	a, err := r.request(ctx, r.link(key), r.deviceSubject(key), appendFrame(make([]byte, 0, 1+guidLength+len(f.Body)), f), r.o.Patience)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		r.places.forget(key)
		return Absent
	case err != nil:
		if node != "" && errors.Is(err, context.DeadlineExceeded) {
			r.breaker.TimedOut(node)
		}
		return Unknown
	}
	r.places.learn(key, a.node)
	r.breaker.Answered(a.node)
	return outcomeOf(a.says == saysAcked)
}

func (r *NATS) request(ctx context.Context, l *link, subject string, payload []byte, patience time.Duration) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m, err := l.conn.RequestWithContext(ctx, subject, payload)
	if err != nil {
		return answer{}, err
	}
	return parseAnswer(m.Data)
}

// Learn implements Router.
func (r *NATS) Learn(key Key, node string) { r.places.learn(key, node) }

// Drops counts messages the client library gave up, here or on the way (slow consumer).
func (r *NATS) Drops() uint64 { return r.drops.Load() }

// Close implements Router.
func (r *NATS) Close() error {
	for _, l := range r.links {
		l.conn.Close()
	}
	r.closing.Do(func() { close(r.closed) })
	return nil
}
