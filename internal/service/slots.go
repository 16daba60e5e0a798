package service

import "sync"

// slots bound how much is worked on at a time.
type slots struct {
	taken chan struct{} // one place for each
	many  sync.Mutex    // held to take several: two who each had a part would wait for each other
}

func newSlots(n int) *slots { return &slots{taken: make(chan struct{}, n)} }

// take waits for n places, which are no more than there are.
func (s *slots) take(n int) {
	if n > 1 {
		s.many.Lock()
		defer s.many.Unlock()
	}
	for range n {
		s.taken <- struct{}{}
	}
}

func (s *slots) give(n int) {
	for range n {
		<-s.taken
	}
}
