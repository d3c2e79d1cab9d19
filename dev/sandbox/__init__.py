"""Three sandbox PSPs on loopback, behaving as real ones would. They know nothing of PaymentServer; README.md is their manual."""
