package client

import "sync"

// outcome is how something ended that several may wait for.
type outcome struct {
	done chan struct{}
	err  error // once done is closed
}

// outcomes are those that are waited for, by device.
type outcomes struct {
	mu   sync.Mutex
	list map[uint32]*outcome // mu
}

func (o *outcomes) of(device uint32) *outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.list[device] == nil {
		put(&o.list, device, &outcome{done: make(chan struct{})})
	}
	return o.list[device]
}

func (o *outcomes) end(device uint32, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if one := o.list[device]; one != nil {
		one.err = err
		close(one.done)
		delete(o.list, device)
	}
}
