"""Three sandbox PSPs on loopback, behaving as real ones would, who never heard of PaymentServer. README.md is the manual."""
