package journal

// maxBehindBytes of committed entries may wait for the machine; then a follower takes no
// more of them. A leader has fewer: what it proposes waits for what was applied.
const maxBehindBytes = 256 << 20

// hand gives work to the machine's goroutine, in order. It never waits: the loop has
// heartbeats to answer, and a node that is silent because its machine is busy would cost
// the shard its leader.
func (l *Log) hand(j job) {
	if len(l.backlog) == 0 {
		select {
		case l.jobs <- j:
			return
		default:
		}
	}
	l.backlog = append(l.backlog, j)
	l.behind += j.bytes()
}

// waiting is the channel to the machine's goroutine and what goes next; the channel is
// nil where nothing waits.
func (l *Log) waiting() (chan<- job, job) {
	if len(l.backlog) == 0 {
		return nil, job{}
	}
	return l.jobs, l.backlog[0]
}

// handed forgets what waiting returned.
func (l *Log) handed() {
	l.behind -= l.backlog[0].bytes()
	l.backlog[0] = job{}
	if l.backlog = l.backlog[1:]; len(l.backlog) == 0 {
		l.backlog = nil // its memory is of the longest time
	}
}

func (j job) bytes() (n int) {
	for _, e := range j.entries {
		n += len(e.GetData())
	}
	return n
}
