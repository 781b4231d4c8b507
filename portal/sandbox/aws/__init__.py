"""What this local AWS plays on ministack, and how it is made strict: identity, CloudFormation, quotas, snapshots."""
