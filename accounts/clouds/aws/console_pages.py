"""Pages of the AWS console: where a person finds one resource, by what CloudFormation calls its kind."""

from urllib.parse import quote

# kind -> the service's page, with the id that the cloud gave.
PAGES = {
    "AWS::EC2::EIP": "ec2/home?region={region}#ElasticIpDetails:AllocationId={id}",
    "AWS::EC2::Instance": "ec2/home?region={region}#InstanceDetails:instanceId={id}",
    "AWS::EC2::InternetGateway": "vpcconsole/home?region={region}#InternetGateway:internetGatewayId={id}",
    "AWS::EC2::NatGateway": "vpcconsole/home?region={region}#NatGatewayDetails:natGatewayId={id}",
    "AWS::EC2::NetworkInterface": "ec2/home?region={region}#NetworkInterface:networkInterfaceId={id}",
    "AWS::EC2::RouteTable": "vpcconsole/home?region={region}#RouteTableDetails:RouteTableId={id}",
    "AWS::EC2::SecurityGroup": "ec2/home?region={region}#SecurityGroup:groupId={id}",
    "AWS::EC2::Subnet": "vpcconsole/home?region={region}#SubnetDetails:subnetId={id}",
    "AWS::EC2::VPC": "vpcconsole/home?region={region}#VpcDetails:VpcId={id}",
    "AWS::EC2::Volume": "ec2/home?region={region}#VolumeDetails:volumeId={id}",
    "AWS::EKS::Cluster": "eks/clusters/{id}?region={region}",
    "AWS::KMS::Key": "kms/home?region={region}#/kms/keys/{id}",
}
ANY = "https://console.aws.amazon.com/go/view?arn={arn}"


def console_page(kind: str, made: str, region: str) -> str:
    """Of a resource by its id or its ARN. Empty for what has no page of its own."""
    if kind in PAGES and made:
        number = quote(made.rpartition("/")[2] if made.startswith("arn:") else made, safe="")
        return f"https://{region}.console.aws.amazon.com/" + PAGES[kind].format(region=region, id=number)
    return ANY.format(arn=quote(made, safe="")) if made.startswith("arn:") else ""
