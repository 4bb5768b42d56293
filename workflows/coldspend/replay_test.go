package coldspend_test

import (
	"testing"

	"strongroom/worker/workertest"
)

func TestReplay(t *testing.T) { workertest.Replay(t) }
