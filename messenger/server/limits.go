package server

import (
	"time"

	"github.com/countersign-project/countersign/messenger/server/endpoint"
	"github.com/countersign-project/countersign/messenger/server/limit"
)

// limits are the buckets of 6.8, size and leak per minute, and below them ours.
type limits struct {
	sms, voice, verify, attachments, directory, prekeys, messages, allocateDevice, verifyDevice *limit.Limiter

	failures  *limit.Limiter // wrong passwords, per source and number
	strangers *limit.Limiter // requests to register, per source
	pins      *limit.Limiter // wrong registration locks, per number
	usernames *limit.Limiter // look-ups, per account
	profiles  *limit.Limiter // look-ups, per account
	uploads   *limit.Limiter // MiB, per account
	multi     *limit.Limiter // recipients of group messages, per account
	changes   *limit.Limiter // of keys, names and attributes, per device
	sockets   *limit.Limiter // new connections, per source
	abouts    *limit.Limiter // questions about the server, per source

	peerKeys    *limit.Limiter // fetches of prekeys, per peer and account
	peerTo      *limit.Limiter // messages, per peer and account
	peerLookups *limit.Limiter // of profiles, device lists and usernames, per peer
}

func newLimits(factor float64, now func() time.Time) *limits {
	rule := func(size, perMinute float64) *limit.Limiter {
		return limit.New(limit.Rule{Size: size * factor, PerMinute: perMinute * factor}, now)
	}
	return &limits{
		sms: rule(2, 2), voice: rule(2, 0.5), verify: rule(2, 2), attachments: rule(50, 50),
		directory: rule(50_000, 50_000./(24*60)), // a day's (6.6): in 2016 as many leaked a minute, which was all numbers of a country in an hour
		prekeys:   rule(3, 0.1), messages: rule(60, 60), allocateDevice: rule(2, 0.5), verifyDevice: rule(2, 2),

		failures: rule(20, 5), strangers: rule(30, 10), pins: rule(5, 0.01), usernames: rule(30, 10), profiles: rule(300, 300),
		uploads: rule(2048, 100), multi: rule(5_000, 5_000), changes: rule(60, 20), sockets: rule(600, 600), abouts: rule(60, 60),

		peerKeys: rule(30, 3), peerTo: rule(600, 300), peerLookups: rule(1000, 600),
	}
}

// allow counts one event, or refuses.
func (s *Server) allow(name string, l *limit.Limiter, key string) error {
	return s.allowN(name, l, key, 1)
}

// allowN counts n events, or refuses.
func (s *Server) allowN(name string, l *limit.Limiter, key string, n int) error {
	wait, ok := l.AllowN(key, n)
	if ok {
		return nil
	}
	s.Metrics.Limited(name)
	return endpoint.TooMany(wait)
}
