package main

import (
	"sync"
	"sync/atomic"
)

// inParallel calls f for 0 to n-1, so many at once, and returns the first error, after which it begins no more.
func inParallel(n, atOnce int, f func(int) error) error {
	var wg sync.WaitGroup
	var once sync.Once
	var first error
	var failed atomic.Bool
	slots := make(chan struct{}, atOnce)
	for i := range n {
		slots <- struct{}{}
		if failed.Load() {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := f(i); err != nil {
				failed.Store(true)
				once.Do(func() { first = err })
			}
		})
	}
	wg.Wait()
	return first
}
