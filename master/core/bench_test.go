package core

import (
	"fmt"
	"testing"

	"stoa/internal/mesos/mesospb"
)

// BenchmarkTask is the whole life of a task in a cluster of many agents: offer,
// launch, running, finished, both acknowledged, resources offered again.
func BenchmarkTask(b *testing.B) {
	for _, agents := range []int{10, 1000, 10000} {
		b.Run(fmt.Sprint(agents, " agents"), func(b *testing.B) {
			w := newWorld(b)
			ids := make(map[string]int)
			for n := range agents {
				ids[w.addAgent(n, small)] = n
			}
			f := w.subscribe(1, inRoles(frameworkInfo(), "*"))
			queue := w.takeOffers(1)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				o := queue[0]
				queue = queue[1:]
				agent := o.GetAgentId().GetValue()
				n := ids[agent]
				id := fmt.Sprint("t", i)
				w.accept(f, []string{o.GetId().GetValue()}, 0, launchOp(task(id, agent, "cpus:4;mem:4096;disk:8192;ports:[31000-31999]")))
				w.acknowledge(f, agent, id, w.update(n, f, agent, id, mesospb.TaskState_TASK_RUNNING))
				w.acknowledge(f, agent, id, w.update(n, f, agent, id, mesospb.TaskState_TASK_FINISHED))
				w.take(pidOf(n))
				queue = append(queue, w.takeOffers(1)...)
				clear(w.answers)
			}
		})
	}
}

// BenchmarkSubscribe is a framework that comes, is offered everything, and goes.
func BenchmarkSubscribe(b *testing.B) {
	w := newWorld(b)
	for n := range 10000 {
		w.addAgent(n, small)
		w.take(pidOf(n))
	}
	b.ResetTimer()
	for i := range b.N {
		f := w.subscribe(StreamID(i+1), inRoles(frameworkInfo(), "*"))
		if n := len(w.takeOffers(StreamID(i + 1))); n != 10000 {
			b.Fatalf("%d offers", n)
		}
		w.step(Teardown{Framework: f})
		clear(w.sent)
	}
}
