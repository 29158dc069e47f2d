"""What only Kafka shows; the promises that every runtime keeps are in tests/contract/runtime."""
