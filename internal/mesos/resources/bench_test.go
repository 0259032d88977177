package resources_test

import (
	"testing"

	"stoa/internal/mesos/resources"
)

func agentAndTask(b *testing.B) (agent, task resources.Resources) {
	agent, err := resources.Parse("cpus:16;mem:65536;disk:100000;ports:[31000-32000];cpus(ads):4;mem(ads):1024", "*")
	if err != nil {
		b.Fatal(err)
	}
	task, err = resources.Parse("cpus:0.1;mem:32;ports:[31005-31005]", "*")
	if err != nil {
		b.Fatal(err)
	}
	return agent, task
}

func BenchmarkAdd(b *testing.B) {
	agent, task := agentAndTask(b)
	b.ReportAllocs()
	for b.Loop() {
		_ = agent.Add(task)
	}
}

func BenchmarkSubtract(b *testing.B) {
	agent, task := agentAndTask(b)
	b.ReportAllocs()
	for b.Loop() {
		_ = agent.Subtract(task)
	}
}

func BenchmarkContains(b *testing.B) {
	agent, task := agentAndTask(b)
	b.ReportAllocs()
	for b.Loop() {
		_ = agent.Contains(task)
	}
}

func BenchmarkAllocate(b *testing.B) {
	agent, _ := agentAndTask(b)
	b.ReportAllocs()
	for b.Loop() {
		_ = agent.Allocate("ads")
	}
}

func BenchmarkFilter(b *testing.B) {
	agent, _ := agentAndTask(b)
	b.ReportAllocs()
	for b.Loop() {
		_ = agent.AllocatableTo("web")
	}
}

func BenchmarkFromProto(b *testing.B) {
	agent, _ := agentAndTask(b)
	list := agent.Proto()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = resources.FromProto(list)
	}
}

func BenchmarkQuantities(b *testing.B) {
	agent, _ := agentAndTask(b)
	b.ReportAllocs()
	for b.Loop() {
		_ = agent.ScalarQuantities()
	}
}

func BenchmarkString(b *testing.B) {
	agent, _ := agentAndTask(b)
	b.ReportAllocs()
	for b.Loop() {
		_ = agent.String()
	}
}
