package allocator

import (
	"fmt"
	"testing"
	"time"

	"stoa/internal/mesos/resources"
)

// clusters are the sizes that are measured: agents, and frameworks with a role each.
func clusters(b *testing.B, run func(b *testing.B, agents, frameworks int)) {
	for _, agents := range []int{1000, 5000, 10000} {
		for _, frameworks := range []int{1, 50, 500} {
			b.Run(fmt.Sprintf("agents=%d/frameworks=%d", agents, frameworks), func(b *testing.B) { run(b, agents, frameworks) })
		}
	}
}

var agentSize = parse("cpus:24;mem:4096;disk:4096;ports:[31000-32000]")

// usedOf is what one task of every second agent has.
var usedOf = parse("cpus:1;mem:128;disk:1024;ports:[31126-31510,31532-31800]")

func cluster(agents, frameworks int, change ...func(*Config)) *Allocator {
	a := fresh(change...)
	for i := range frameworks {
		a.join(fmt.Sprintf("framework-%04d", i), multi(fmt.Sprintf("role-%d", i%50)))
	}
	for i := range agents {
		used := map[string]resources.Resources{}
		if i%2 == 0 {
			k := i % frameworks
			used[fmt.Sprintf("framework-%04d", k)] = usedOf.Allocate(fmt.Sprintf("role-%d", k%50))
		}
		a.AddAgent(fmt.Sprintf("agent-%05d", i), modern, agentSize, used)
	}
	return a
}

// A whole cluster is free and shared out in one run.
func BenchmarkWholeCluster(b *testing.B) {
	clusters(b, func(b *testing.B, agents, frameworks int) {
		a := cluster(agents, frameworks)
		b.ReportAllocs()
		for b.Loop() {
			made := a.Run(t0)
			b.StopTimer()
			if len(made) != agents {
				b.Fatalf("%d allocations", len(made))
			}
			for _, one := range made {
				a.Recover(one.Framework, one.Agent, one.Resources)
			}
			b.StartTimer()
		}
	})
}

// One task ends in a busy cluster, and what it had is given to somebody.
func BenchmarkOneFreedTask(b *testing.B) {
	clusters(b, func(b *testing.B, agents, frameworks int) {
		a := cluster(agents, frameworks)
		made := a.Run(t0)
		task := parse("cpus:1;mem:128")
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			one := &made[i%len(made)]
			i++
			a.Recover(one.Framework, one.Agent, task.Allocate(one.Role))
			next := a.Run(t0)
			if len(next) != 1 || len(a.marked) > 0 {
				b.Fatalf("%d allocations", len(next))
			}
			one.Framework, one.Role = next[0].Framework, next[0].Role
		}
	})
}

// Every framework has declined every agent; one of them revives.
func BenchmarkReviveAmongFilters(b *testing.B) {
	clusters(b, func(b *testing.B, agents, frameworks int) {
		a := cluster(agents, min(frameworks, 50))
		declineAll(a)
		b.ReportAllocs()
		for b.Loop() {
			a.Revive("framework-0000", nil)
			made := a.Run(t0)
			if len(made) != agents {
				b.Fatalf("%d allocations", len(made))
			}
			b.StopTimer()
			for _, one := range made {
				a.Decline(t0, one.Framework, one.Agent, one.Resources, time.Hour)
			}
			a.Run(t0)
			b.StartTimer()
		}
	})
}

// Declines of a whole cluster, each followed by a run: what it takes until everybody
// has said no.
func BenchmarkDeclines(b *testing.B) {
	clusters(b, func(b *testing.B, agents, frameworks int) {
		if agents > 1000 && frameworks > 50 {
			b.Skip("half an hour of declines")
		}
		a := cluster(agents, frameworks)
		made := a.Run(t0)
		b.ReportAllocs()
		for b.Loop() {
			if len(made) == 0 {
				b.StopTimer()
				for i := range frameworks {
					a.Revive(fmt.Sprintf("framework-%04d", i), nil)
				}
				made = a.Run(t0)
				b.StartTimer()
			}
			one := made[len(made)-1]
			made = made[:len(made)-1]
			a.Decline(t0, one.Framework, one.Agent, one.Resources, time.Hour)
			made = append(made, a.Run(t0)...)
		}
	})
}

func declineAll(a *Allocator) {
	for made := a.Run(t0); len(made) > 0; made = a.Run(t0) {
		for _, one := range made {
			a.Decline(t0, one.Framework, one.Agent, one.Resources, time.Hour)
		}
	}
}

// An agent with a task registers, and its revocable resources come.
func BenchmarkAddAndUpdateAgent(b *testing.B) {
	clusters(b, func(b *testing.B, agents, frameworks int) {
		a := cluster(agents, frameworks)
		a.Run(t0)
		used := map[string]resources.Resources{"framework-0000": usedOf.Allocate("role-0")}
		more := agentSize.Add(revocable("cpus:10"))
		b.ReportAllocs()
		for b.Loop() {
			a.AddAgent("agent-new", modern, agentSize, used)
			a.Run(t0)
			a.UpdateAgent("agent-new", modern, more)
			a.Run(t0)
			b.StopTimer()
			a.RemoveAgent("agent-new")
			b.StartTimer()
		}
	})
}

// Quotas for whole agents, or none, with two frameworks in each role.
func BenchmarkQuotas(b *testing.B) {
	for _, roles := range []int{10, 100, 1000} {
		for _, quota := range []bool{false, true} {
			for _, sorter := range []Sorter{DRF, Random} {
				b.Run(fmt.Sprintf("roles=%d/quota=%v/random=%v", roles, quota, sorter == Random), func(b *testing.B) {
					a := fresh(func(c *Config) { c.RoleSorter, c.FrameworkSorter = sorter, sorter })
					for i := range roles {
						role := fmt.Sprintf("role-%d", i)
						if quota {
							a.SetQuota(role, Quota{Guarantees: quantitiesFrom("cpus:4;mem:4096;disk:4096")})
						}
						a.join(fmt.Sprintf("f%d-1", i), multi(role))
						a.join(fmt.Sprintf("f%d-2", i), multi(role))
						a.agent(fmt.Sprintf("s%d-1", i), "cpus:2;mem:2048;disk:2048")
						a.agent(fmt.Sprintf("s%d-2", i), "cpus:2;mem:2048;disk:2048")
					}
					b.ReportAllocs()
					for b.Loop() {
						made := a.Run(t0)
						b.StopTimer()
						if len(made) != 2*roles {
							b.Fatalf("%d allocations", len(made))
						}
						for _, one := range made {
							a.Recover(one.Framework, one.Agent, one.Resources)
						}
						b.StartTimer()
					}
				})
			}
		}
	}
}
