package client

import (
	"github.com/countersign-project/countersign/messenger/store"
)

// hurry bounds how often somebody from whom we hear is tried earlier than the server has asked for, in milliseconds: once a minute.
const hurry = 60_000

// noteWaiting remembers who has to wait, by the jobs of the outbox.
func (a *Account) noteWaiting(jobs []job, now int64) {
	still := map[string]bool{}
	for _, j := range jobs {
		for name, at := range j.Wait {
			if at > now {
				still[name] = true
			}
		}
		for name := range j.Held {
			still[name] = true
		}
	}
	a.mu.Lock()
	before := a.waiting
	a.waiting = still
	a.mu.Unlock()
	for name := range before {
		if !still[name] { // what he is owed was kept back
			a.receiptsSoon()
			return
		}
	}
}

// waits tells whether somebody has to wait for something.
func (a *Account) waits(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.waiting[name]
}

// mayHurry tells whether somebody who has just written has to wait for something of ours, and was not tried early a moment ago.
func (a *Account) mayHurry(name string, now int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	last, was := a.hurried[name]
	if !a.waiting[name] || was && now >= last && now-last < hurry {
		return false
	}
	a.hurried[name] = now
	return true
}

// again tries somebody again who has just written: he is there, so a queue of his that was full, for which the server made us wait an hour, has room.
// A try that comes early does not count.
func (c *change) again(name string) error {
	if !c.a.mayHurry(name, c.now) {
		return nil
	}
	var ids []string
	err := store.All(c.tx, store.Outbox, func(id string, j job) error {
		if j.Wait[name] > c.now {
			ids = append(ids, id)
		}
		return nil
	})
	for _, id := range ids {
		if err == nil {
			err = c.changeJob(id, func(j *job) error {
				delete(j.Wait, name)
				put(&j.Tries, name, max(0, j.Tries[name]-1))
				return nil
			})
		}
	}
	c.send = true
	return err
}
