package route

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"
)

// control serves what other nodes tell this one.
func (r *NATS) control(m *nats.Msg) {
	c, err := parseControl(m.Data)
	says := byte(saysUnknown)
	switch {
	case err != nil:
	case c.op == opPing, c.op == opWake && r.wake(c.key), c.op == opDisplace && r.displace(c.key, c.epoch):
		says = saysKnown
	}
	r.answer(m, says)
}

// tell sends a control message to a node and says whether it knew what was meant.
func (r *NATS) tell(ctx context.Context, node string, c control) bool {
	if ValidName(node) != nil {
		return false
	}
	a, err := r.request(ctx, r.links[0], r.nodeSubject(node), appendControl(nil, c), r.o.Probe)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) && c.op != opPing {
			r.breaker.TimedOut(node)
		}
		return false
	}
	return a.says == saysKnown
}

// ping is the breaker's question.
func (r *NATS) ping(node string) bool {
	return r.tell(context.Background(), node, control{op: opPing})
}

// Wake implements Router.
func (r *NATS) Wake(ctx context.Context, node string, key Key) bool {
	if node == r.o.Node {
		return r.wake(key)
	}
	return !r.breaker.Open(node) && r.tell(ctx, node, control{op: opWake, key: key})
}

// Displace implements Router.
func (r *NATS) Displace(ctx context.Context, node string, key Key, epoch int64) {
	if node == r.o.Node {
		r.displace(key, epoch)
		return
	}
	if !r.breaker.Open(node) {
		r.tell(ctx, node, control{op: opDisplace, epoch: epoch, key: key})
	}
}
