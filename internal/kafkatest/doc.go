// Package kafkatest gives tests a Kafka broker that can be killed, paused and started again
// with its data and its port: the embedded one of the tree, built and run as a process, or
// Apache Kafka, where Java and its jars are there (infra/backends/kafka/real/fetch.sh brings
// them).
//
//	func TestMain(m *testing.M) { kafkatest.Main(m) }
//
//	func TestTheLogSurvives(t *testing.T) {
//		kafkatest.Each(t, func(t *testing.T, b *kafkatest.Broker) {
//			…
//			b.Kill()
//			b.Start()
//			…
//		})
//	}
//
// It needs no client of Kafka's: a broker is ready when it answers a question for brokers with
// itself.
package kafkatest
